//! Readers of files that other programs write. Some crates panic on damaged ones; at the border that is an
//! error of the file like any other.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Whether a reader runs on this thread.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread now is one that [`read`] makes an error of, so that nothing else is to be said
/// of it.
pub fn is_read() -> bool {
    READING.get()
}

/// Runs such a reader.
///
/// # Errors
/// It panics: its message.
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
    fn a_panic_is_an_error_with_its_words() {
        assert_eq!(read(|| (3, is_read())), Ok((3, true)));
        assert!(!is_read());
        assert_eq!(
            read(|| -> u8 { panic!("at {}", 7) }),
            Err("at 7".to_string())
        );
        assert_eq!(read(|| -> u8 { panic!("plain") }), Err("plain".to_string()));
    }
}
