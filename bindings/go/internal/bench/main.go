// SPDX-License-Identifier: MIT

// bench KERNEL LISTS ROUNDS: as bindings/bench/bench.c.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"time"

	"pvctl"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: bench KERNEL LISTS ROUNDS")
	}
	ctx := context.Background()
	conn, err := pvctl.Open(ctx, nil)
	must(err)
	defer conn.Close()
	list := func() {
		named := 0
		domains, err := conn.Domains(ctx)
		must(err)
		for _, d := range domains {
			if d.Name != "" {
				named++
			}
		}
	}
	round := func() {
		config, err := pvctl.ConfigFromMap(map[string]any{"name": "bench", "kernel": os.Args[1], "memory": 4, "cmdline": "reason=8"})
		must(err)
		domain, err := conn.Create(ctx, config, nil)
		must(err)
		must(domain.Destroy(ctx))
		must(config.Close())
	}
	list()
	listed := each(os.Args[2], list)
	fmt.Printf("%.4f %.4f\n", listed, each(os.Args[3], round))
}

// each is the median, in milliseconds.
func each(count string, f func()) float64 {
	n, err := strconv.Atoi(count)
	must(err)
	took := make([]float64, n)
	for i := range took {
		start := time.Now()
		f()
		took[i] = float64(time.Since(start)) / float64(time.Millisecond)
	}
	if n == 0 {
		return 0
	}
	sort.Float64s(took)
	return took[n/2]
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
