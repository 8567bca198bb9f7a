//! What the fuzz targets share: readers of every kind of file that a user can hand to promptshift.

pub mod readers;

use std::panic;
use std::process;
use std::sync::Once;

use promptshift::foreign;

/// Reads bytes as a kind of file, for a fuzz target.
///
/// libFuzzer ends the process at any panic. Those that [`foreign::read`] makes errors of are none of ours. A reading
/// that takes memory out of proportion ends the process too.
pub fn fuzz(kind: &str, bytes: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let ends = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !foreign::is_read() {
                ends(information);
            }
        }));
    });
    if let Err(fault) = readers::named(kind).measured(bytes) {
        eprintln!("{fault}");
        process::abort();
    }
}
