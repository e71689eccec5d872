// SPDX-License-Identifier: MIT
//! supervisor CONFIG...: keeps these domains alive. What ends is started again after a pause that doubles while it ends soon;
//! what powers itself off is left alone.

use pvctl::{Config, Connection, CreateOptions, ErrorKind, EventMask, Reason};
use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// Who lives so long begins anew with the first pause.
const HEALTHY: Duration = Duration::from_secs(60);

struct Child {
    config: Config,
    started: Instant,
    pause: Duration,
    reason: Reason,
    again: Option<Instant>,
    done: bool,
}

fn load(file: &str) -> Result<(String, Child), Box<dyn Error>> {
    let mut config = Config::load(file)?;
    // The policy is ours: the node shall not restart it, too.
    for key in ["on_poweroff", "on_reboot", "on_crash"] {
        config.set(key, "destroy")?;
    }
    let name = config.text("name").ok_or("a domain without a name")?;
    let (now, reason) = (Instant::now(), Reason::None);
    Ok((name, Child { config, started: now, pause: FIRST_PAUSE, reason, again: Some(now), done: false }))
}

impl Child {
    fn start(&mut self, name: &str, node: &Connection) -> pvctl::Result<()> {
        self.again = None;
        self.started = Instant::now();
        self.reason = Reason::None;
        match node.create(&self.config, &CreateOptions::default()) {
            Ok(_) => eprintln!("{name}: started"),
            Err(e) if e.kind() == ErrorKind::Exists => (), // from before
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn ended(&mut self, name: &str) {
        eprintln!("{name}: ended ({:?})", self.reason);
        self.done = self.reason == Reason::Poweroff;
        if self.started.elapsed() > HEALTHY {
            self.pause = FIRST_PAUSE;
        }
        self.again = (!self.done).then(|| Instant::now() + self.pause);
        self.pause = LAST_PAUSE.min(self.pause * 2);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let node = Connection::open(None)?;
    let mut events = node.events(EventMask::SHUTDOWN | EventMask::DESTROYED)?;
    let mut children = env::args().skip(1).map(|f| load(&f)).collect::<Result<HashMap<_, _>, _>>()?;
    while children.values().any(|c| !c.done) {
        for (name, child) in &mut children {
            if child.again.map_or(false, |at| at <= Instant::now()) {
                child.start(name, &node)?;
            }
        }
        let next = children.values().filter_map(|c| c.again).min();
        let pause = next.map_or(LAST_PAUSE, |at| at.saturating_duration_since(Instant::now()));
        if let Some(event) = events.next_timeout(pause)? {
            match children.get_mut(&event.name) {
                Some(child) if event.kind == EventMask::SHUTDOWN => child.reason = event.reason,
                Some(child) => child.ended(&event.name),
                None => (),
            }
        }
    }
    Ok(())
}
