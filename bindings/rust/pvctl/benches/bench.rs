// SPDX-License-Identifier: MIT
//! bench KERNEL LISTS ROUNDS: as bindings/bench/bench.c.

use pvctl::{Config, Connection, CreateOptions};
use std::env;
use std::error::Error;
use std::time::Instant;

/// The median of n, in milliseconds.
fn each(n: usize, mut f: impl FnMut() -> pvctl::Result<()>) -> pvctl::Result<f64> {
    let mut took = Vec::with_capacity(n);
    for _ in 0..n {
        let begun = Instant::now();
        f()?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(took.get(n / 2).map_or(0.0, |t| t.as_secs_f64() * 1e3))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    // Where cargo runs it without a node there is nothing to measure.
    let (kernel, lists, rounds) = match &args[1..] {
        [kernel, lists, rounds, ..] => (kernel, lists.parse()?, rounds.parse()?),
        _ => return Ok(()),
    };
    let node = Connection::open(None)?;
    let list = || node.domains().map(|all| assert!(all.iter().filter(|d| !d.name.is_empty()).count() > 0));
    list()?;
    let listed = each(lists, list)?;
    let made = each(rounds, || {
        let b = Config::builder().set("name", "bench")?.set("kernel", kernel)?.set("memory", 4)?.set("cmdline", "reason=8")?;
        node.create(&b.build(), &CreateOptions::default())?.destroy()
    })?;
    println!("{listed:.4} {made:.4}");
    Ok(())
}
