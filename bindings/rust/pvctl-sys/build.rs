// SPDX-License-Identifier: MIT
//! Where libpvctl is, by pkg-config. PVCTL_STATIC=1: libpvctl.a, and all that it needs.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-env-changed=PVCTL_STATIC");
    let fixed = std::env::var_os("PVCTL_STATIC").is_some();
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.arg("--libs");
    if fixed {
        pkg_config.arg("--static");
    }
    let out = pkg_config.arg("libpvctl").output().expect("pkg-config is needed to find libpvctl");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for word in String::from_utf8_lossy(&out.stdout).split_whitespace() {
        if let Some(dir) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={dir}");
        } else if word == "-lpvctl" && fixed {
            println!("cargo:rustc-link-lib=static:-bundle=pvctl");
        } else if let Some(lib) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={lib}");
        }
    }
}
