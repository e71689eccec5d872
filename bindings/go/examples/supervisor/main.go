// SPDX-License-Identifier: MIT

// supervisor CONFIG...: keeps these domains alive. What ends is started again after a pause that doubles while it ends soon;
// what powers itself off is left alone.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"time"

	"pvctl"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
	healthy    = time.Minute // who lives so long begins anew with the first pause
)

type child struct {
	config  *pvctl.Config
	name    string
	started time.Time
	pause   time.Duration
	reason  pvctl.Reason
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func load(files []string) (map[string]*child, error) {
	children := map[string]*child{}
	for _, file := range files {
		config, err := pvctl.LoadConfig(file)
		if err != nil {
			return nil, err
		}
		// The policy is ours: the node shall not restart it, too.
		for _, key := range []string{"on_poweroff", "on_reboot", "on_crash"} {
			if err := config.Set(key, "destroy"); err != nil {
				return nil, err
			}
		}
		name, _, err := config.Text("name")
		if err != nil {
			return nil, err
		}
		children[name] = &child{config: config, name: name, pause: firstPause}
	}
	return children, nil
}

func (c *child) start(ctx context.Context, conn *pvctl.Conn) error {
	c.started, c.reason = time.Now(), pvctl.ReasonNone
	_, err := conn.Create(ctx, c.config, nil)
	if errors.Is(err, pvctl.ErrExists) {
		return nil // from before
	}
	if err == nil {
		log.Printf("%s: started", c.name)
	}
	return err
}

// ended says after which pause it is to be started again; false: it is not.
func (c *child) ended() (time.Duration, bool) {
	if c.reason == pvctl.ReasonPoweroff {
		return 0, false
	}
	if time.Since(c.started) > healthy {
		c.pause = firstPause
	}
	pause := c.pause
	if c.pause *= 2; c.pause > lastPause {
		c.pause = lastPause
	}
	return pause, true
}

func run(ctx context.Context, files []string) error {
	children, err := load(files)
	if err != nil {
		return err
	}
	conn, err := pvctl.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	events, err := conn.Events(ctx, pvctl.EventShutdown|pvctl.EventDestroyed)
	if err != nil {
		return err
	}
	defer events.Close()
	for _, c := range children {
		if err := c.start(ctx, conn); err != nil {
			return err
		}
	}
	again := make(chan *child)
	for alive := len(children); alive > 0; {
		select {
		case event, ok := <-events.C:
			c := children[event.Name]
			switch {
			case !ok && ctx.Err() != nil:
				return ctx.Err()
			case !ok:
				return events.Err()
			case c == nil:
			case event.Type == pvctl.EventShutdown:
				c.reason = event.Reason
			default:
				pause, more := c.ended()
				log.Printf("%s: ended (%v)", c.name, c.reason)
				if !more {
					alive--
					continue
				}
				time.AfterFunc(pause, func() {
					select {
					case again <- c:
					case <-ctx.Done():
					}
				})
			}
		case c := <-again:
			if err := c.start(ctx, conn); err != nil {
				return err
			}
		}
	}
	return nil
}
