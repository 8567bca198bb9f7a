//! A worker: takes jobs from its standard input until there are no more.

use std::io;
use std::sync::mpsc;
use std::thread;

use anyhow::Context;

use super::message::{Job, Message, tell};
use crate::cli::{Failure, interrupt};

/// Does what it is given: `run` says why a job's training failed, if it did.
///
/// # Errors
/// An order can't be read. Errors of a job are told to the process that gave it.
pub fn serve(mut run: impl FnMut(&Job) -> Result<Option<String>, Failure>) -> Result<(), Failure> {
    for order in orders() {
        let order = order.context("cannot read an order")?;
        let job: Job = serde_json::from_str(&order)
            .with_context(|| format!("--worker is for this program's own use; found '{order}'"))?;
        tell(&match run(&job) {
            Ok(None) => Message::Done,
            Ok(Some(reason)) => Message::Failed(reason),
            // Who interrupted this process knows.
            Err(Failure::Interrupted) => return Ok(()),
            Err(failure) => {
                let text = failure.to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                Message::Error(text.to_string())
            }
        });
    }
    Ok(())
}

/// What comes on standard input. Its end breaks off what is being done: whoever gave the orders wants
/// no more of it, or is no more.
fn orders() -> mpsc::Receiver<io::Result<String>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for order in io::stdin().lines() {
            if send.send(order).is_err() {
                return;
            }
        }
        interrupt::ask();
    });
    receive
}
