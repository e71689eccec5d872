// SPDX-License-Identifier: MIT

package pvctl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"pvctl"
)

func Example() {
	ctx := context.Background()
	conn, err := pvctl.Open(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	config, err := pvctl.ConfigFromMap(map[string]any{"name": "example", "kernel": os.Getenv("O") + "/guests/shutdown.elf", "memory": 8,
		"cmdline": "reason=0", "on_poweroff": "preserve"})
	if err != nil {
		log.Fatal(err)
	}
	domain, err := conn.Create(ctx, config, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Destroy(ctx)
	reason, err := domain.Wait(ctx, time.Minute)
	fmt.Println(reason, err)
	// Output: poweroff <nil>
}

func ExampleParseConfig() {
	_, err := pvctl.ParseConfig("name = \"web\"\nmemory = 0\n", &pvctl.ParseOptions{File: "web.cfg"})
	var wrong *pvctl.ParseError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.First().File, wrong.First().Line)
	}
	// Output: web.cfg 2
}

func ExampleConn_Lookup() {
	ctx := context.Background()
	conn, err := pvctl.Open(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.Lookup(ctx, "nobody")
	fmt.Println(errors.Is(err, pvctl.ErrNoDomain))
	// Output: true
}
