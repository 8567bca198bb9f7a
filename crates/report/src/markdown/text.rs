//! Text from files as it may stand in markdown.

/// Text that means nothing but itself in markdown: on one line, with a backslash before every letter
/// that could begin something. (A bar begins nothing outside a table, and tables escape it.)
pub fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let letters: Vec<char> = line.chars().collect();
    let mut shown = String::with_capacity(line.len());
    for (index, letter) in letters.iter().enumerate() {
        // Inside a word, a line at the foot begins nothing: names keep theirs as they are.
        let inside = *letter == '_'
            && index > 0
            && letters[index - 1].is_alphanumeric()
            && letters
                .get(index + 1)
                .is_some_and(|next| next.is_alphanumeric());
        if "\\`*_{}[]<>#~!&$".contains(*letter) && !inside {
            shown.push('\\');
        }
        shown.push(*letter);
    }
    shown
}

/// [`plain`] text between quotation marks, or words for none.
pub fn quoted(text: &str) -> String {
    if text.trim().is_empty() {
        "(nothing)".to_owned()
    } else {
        format!("“{}”", plain(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_means_only_itself() {
        assert_eq!(plain("a  *b*\n<c> | d_e"), r"a \*b\* \<c\> | d_e");
        assert_eq!(plain("_a_ `b`"), r"\_a\_ \`b\`");
        assert_eq!(quoted(" \n"), "(nothing)");
        assert_eq!(quoted("U . S ."), "“U . S .”");
    }
}
