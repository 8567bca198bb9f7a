//! The command line as it was typed, to be typed again.

use super::run;
use promptshift_text::transfer::Transfer;

/// The command line after the program's name, with the words of the transfer as it was understood and
/// without what makes a worker of it.
pub(super) fn words(typed: &[String], transfer: &Transfer) -> Vec<String> {
    let mut words: Vec<String> = run::typed()
        .into_iter()
        .filter(|word| !typed.contains(word))
        .collect();
    words.insert(1.min(words.len()), transfer.to_string());
    words
}

/// The command as it can be typed again.
pub(super) fn command(typed: &[String], transfer: &Transfer) -> String {
    let words = words(typed, transfer).into_iter().map(quoted);
    let program = std::iter::once("promptshift".to_string());
    program.chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=".contains(c);
    if word.chars().all(plain) && !word.is_empty() {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
