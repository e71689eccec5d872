// SPDX-License-Identifier: MIT

// create_and_watch CONFIG: creates a domain, shows its console and what happens to it, until it is gone.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"pvctl"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: create_and_watch CONFIG")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, file string) error {
	conn, err := pvctl.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	config, err := pvctl.LoadConfig(file)
	if err != nil {
		return err
	}
	defer config.Close()
	// Before it is created: nothing is missed.
	events, err := conn.Events(ctx, pvctl.EventAll&^pvctl.EventPresent)
	if err != nil {
		return err
	}
	defer events.Close()
	domain, err := conn.Create(ctx, config, nil)
	if err != nil {
		return err
	}
	console, err := domain.Console(ctx, pvctl.ReplayAll)
	if err != nil {
		return err
	}
	defer console.Close()
	shown := make(chan struct{})
	go func() {
		io.Copy(os.Stdout, console)
		close(shown)
	}()
	for event := range events.C {
		if event.DomainID != domain.ID {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s %s %s\n", event.Time.Format("15:04:05.000"), event.Name, event.Type)
		if event.Type == pvctl.EventDestroyed {
			<-shown // the console ends with the domain
			return nil
		}
	}
	return events.Err()
}
