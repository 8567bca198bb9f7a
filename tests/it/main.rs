//! One binary for all integration tests; modules by subject.

mod architecture;
mod parity;
mod tuning;
