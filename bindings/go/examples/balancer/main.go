// SPDX-License-Identifier: MIT

// balancer NODE NODE: moves domains from the node that has more of them to the other, until they differ by one at most.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"pvctl"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: balancer NODE NODE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, names ...string) error {
	var nodes [2]*pvctl.Conn
	for i, name := range names {
		conn, err := pvctl.Open(ctx, &pvctl.OpenOptions{Node: name})
		if err != nil {
			return err
		}
		defer conn.Close()
		nodes[i] = conn
	}
	for {
		var running [2][]pvctl.DomainInfo
		for i, node := range nodes {
			var err error
			if running[i], err = movable(ctx, node); err != nil {
				return err
			}
		}
		from := 0
		if len(running[1]) > len(running[0]) {
			from = 1
		}
		if len(running[from])-len(running[1-from]) <= 1 {
			return nil
		}
		info := running[from][0]
		fmt.Printf("%s: from %s to %s\n", info.Name, names[from], names[1-from])
		told := pvctl.WithProgress(ctx, func(p pvctl.Progress) {
			if p.Total > 0 {
				fmt.Printf("%s: %s %d of %d\n", info.Name, p.What, p.Done, p.Total)
			}
		})
		_, result, err := nodes[from].Domain(info.ID).MigrateTo(told, nodes[1-from], nil)
		if err != nil {
			return fmt.Errorf("%s: %w", info.Name, err)
		}
		fmt.Printf("%s: moved, it stood still for %v\n", info.Name, result.Pause)
	}
}

// movable are those that run.
func movable(ctx context.Context, node *pvctl.Conn) (list []pvctl.DomainInfo, err error) {
	all, err := node.Domains(ctx)
	for _, d := range all {
		if d.ID != 0 && d.Name != "" && (d.State == pvctl.Running || d.State == pvctl.Blocked) {
			list = append(list, d)
		}
	}
	return
}
