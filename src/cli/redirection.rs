//! Recognises `promptshift transfer squad->textbookqa` without quotes: a shell passes `squad-` and redirects standard
//! output to a file `textbookqa`.

use std::fs::File;

use anyhow::bail;

use promptshift_text::transfer::{Transfer, shell_redirection};

/// The transfer as typed and, if the shell took the arrow apart, the name of the file that receives the report.
///
/// # Errors
/// Not a transfer, or half of one while standard output is not a file that completes it.
pub fn transfer(words: &[String]) -> anyhow::Result<(Transfer, Option<String>)> {
    let [word] = words else {
        return Ok((Transfer::parse(words)?, None));
    };
    if !word.ends_with(['-', '=']) {
        return Ok((Transfer::parse(words)?, None));
    }
    let wanted =
        format!("in quotes the shell leaves it alone: promptshift transfer '{word}>TARGET'");
    let Some(file) = stdout_file() else {
        bail!(
            "'{word}' is half a transfer, but standard output is not a file in this folder; {wanted}"
        );
    };
    match shell_redirection(word, &file) {
        Some(transfer) => Ok((transfer, Some(file))),
        None => {
            bail!("'{word}' with standard output in the file '{file}' is not a transfer; {wanted}")
        }
    }
}

/// The name of the regular file in the current folder that standard output goes to. A redirection from `a->b` has no
/// folder in its name.
#[cfg(unix)]
fn stdout_file() -> Option<String> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stdout = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
    let open = stdout.metadata().ok().filter(|open| open.is_file())?;
    std::fs::read_dir(".").ok()?.find_map(|entry| {
        let entry = entry.ok()?;
        let found = entry.metadata().ok()?;
        let same = found.dev() == open.dev() && found.ino() == open.ino();
        same.then(|| entry.file_name().to_string_lossy().into_owned())
    })
}

/// On other systems the file's name is not available.
#[cfg(not(unix))]
fn stdout_file() -> Option<String> {
    None
}
