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

func ExampleDomain_Snapshot() {
	ctx := context.Background()
	conn, err := pvctl.Open(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	config, err := pvctl.ConfigFromMap(map[string]any{"name": "upgraded", "kernel": os.Getenv("O") + "/guests/save-self.elf", "memory": 8,
		"cmdline": "linear asked rounds=9"})
	if err != nil {
		log.Fatal(err)
	}
	domain, err := conn.Create(ctx, config, nil)
	if err != nil {
		log.Fatal(err)
	}
	made, err := domain.Snapshot(ctx, "before", &pvctl.SnapshotOptions{Description: "the old release"})
	if err != nil {
		log.Fatal(err)
	}
	// Something went wrong: back to that.
	if domain, err = conn.Revert(ctx, "upgraded", made.Name, nil); err != nil {
		log.Fatal(err)
	}
	defer domain.Destroy(ctx)
	fmt.Println(made.Name, pvctl.DeleteSnapshot(ctx, "", "upgraded", made.Name))
	// Output: before <nil>
}

func ExampleError() {
	_, err := pvctl.ConfigFromMap(map[string]any{"memory": 0})
	var failed *pvctl.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Errno == pvctl.ErrInvalid, failed.Key)
	}
	// Output: true memory
}
