// SPDX-License-Identifier: MIT
//! create_and_watch CONFIG: creates a domain, shows its console and what happens to it, until it is gone.

use pvctl::{Config, Connection, CreateOptions, EventMask};
use std::error::Error;
use std::{env, io, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("usage: create_and_watch CONFIG")?;
    let node = Connection::open(None)?;
    let config = Config::load(file)?;
    // Before it is created: nothing is missed.
    let events = node.events(EventMask::ALL)?;
    let domain = node.create(&config, &CreateOptions::default())?;
    let mut console = domain.console(u64::MAX)?;
    let shown = thread::spawn(move || io::copy(&mut console, &mut io::stdout()));
    for event in events {
        let event = event?;
        if event.domain_id != domain.id() {
            continue;
        }
        eprintln!("{} {}", event.name, name(event.kind));
        if event.kind == EventMask::DESTROYED {
            break;
        }
    }
    // The console ends with the domain.
    shown.join().expect("no panic")?;
    Ok(())
}

fn name(kind: EventMask) -> &'static str {
    match kind {
        EventMask::CREATED => "created",
        EventMask::UNPAUSED => "started",
        EventMask::CONSOLE => "console",
        EventMask::SHUTDOWN => "shutdown",
        EventMask::DESTROYED => "destroyed",
        _ => "something else",
    }
}
