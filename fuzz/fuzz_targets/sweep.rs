#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promptshift_fuzz::fuzz("sweep", bytes));
