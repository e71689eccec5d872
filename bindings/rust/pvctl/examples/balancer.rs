// SPDX-License-Identifier: MIT
//! balancer NODE NODE: moves domains from the node that has more of them to the other, until they differ by one at most.

use pvctl::{Connection, DomainInfo, MigrateOptions, RunState};
use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = env::args().skip(1).collect();
    let [one, two] = <[String; 2]>::try_from(names).map_err(|_| "usage: balancer NODE NODE")?;
    let mut from = (Connection::open(Some(&one))?, one);
    let mut to = (Connection::open(Some(&two))?, two);
    loop {
        let (mut here, mut there) = (movable(&from.0)?, movable(&to.0)?);
        if there.len() > here.len() {
            std::mem::swap(&mut from, &mut to);
            std::mem::swap(&mut here, &mut there);
        }
        if here.len() - there.len() <= 1 {
            return Ok(());
        }
        let info = &here[0];
        println!("{}: from {} to {}", info.name, from.1, to.1);
        let name = info.name.clone();
        from.0.set_progress(Some(Box::new(move |p| {
            if p.total > 0 {
                println!("{name}: {} {} of {}", p.what, p.done, p.total);
            }
        })));
        let (result, moved) = from.0.domain(info.id).migrate_to(&mut to.0, MigrateOptions::default());
        moved?;
        println!("{}: moved, it stood still for {:?}", info.name, result.pause);
    }
}

/// Those that run.
fn movable(node: &Connection) -> pvctl::Result<Vec<DomainInfo>> {
    let runs = |d: &DomainInfo| d.id != 0 && !d.name.is_empty() && matches!(d.state, RunState::Running | RunState::Blocked);
    Ok(node.domains()?.into_iter().filter(runs).collect())
}
