//! Runs parsers of files written by other programs. Some crates panic on damaged files; [`read`] turns such a
//! panic into an error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Whether [`read`] is running on this thread.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Whether [`read`] turns a panic on this thread into an error, so that the panic hook must not report it
/// too.
pub fn is_read() -> bool {
    READING.get()
}

/// Runs a parser that may panic.
///
/// # Errors
/// The panic's message.
pub fn read<T>(reader: impl FnOnce() -> T) -> Result<T, String> {
    let outer = READING.replace(true);
    let end = panic::catch_unwind(AssertUnwindSafe(reader));
    READING.set(outer);
    end.map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        message
            .unwrap_or("bytes that cannot be decoded")
            .to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(read(|| (3, is_read())), Ok((3, true)));
        assert!(!is_read());
        assert_eq!(
            read(|| -> u8 { panic!("at {}", 7) }),
            Err("at 7".to_string())
        );
        assert_eq!(read(|| -> u8 { panic!("plain") }), Err("plain".to_string()));
    }
}
