//! A limit to silence. `hf-hub` sets no time limits: a server that keeps a connection open and says
//! nothing would hold it for ever. So it works on a thread of its own, which is given up when nothing
//! has been heard of it for too long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How far the work on the other thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pulse {
    pub done: u64,
    pub total: u64,
}

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing was heard for as long as this.
    Silent(Duration),
    /// The thread panicked.
    Broken,
}

enum Message<T> {
    Pulse(Pulse),
    Done(T),
}

/// The end on which the work says how far it is; `hf-hub` tells it.
pub(super) struct Reporter<T> {
    sender: Sender<Message<T>>,
    at: Pulse,
}

impl<T> hf_hub::api::Progress for Reporter<T> {
    fn init(&mut self, size: usize, _filename: &str) {
        let total = size as u64;
        self.at = Pulse { done: 0, total };
    }

    fn update(&mut self, size: usize) {
        self.at.done += size as u64;
        // Nobody listens any more once the work was given up.
        let _ = self.sender.send(Message::Pulse(self.at));
    }

    fn finish(&mut self) {}
}

/// Does `work`, telling `hear` how far it is.
///
/// # Errors
/// Nothing was heard for `patience`: the thread is left behind, and ends when the program does.
pub(super) fn patiently<T: Send + 'static>(
    patience: Duration,
    hear: &mut dyn FnMut(Pulse),
    work: impl FnOnce(Reporter<T>) -> T + Send + 'static,
) -> Result<T, Lost> {
    let (sender, receiver) = channel();
    let reporter = Reporter {
        sender: sender.clone(),
        at: Pulse { done: 0, total: 0 },
    };
    std::thread::spawn(move || {
        let result = work(reporter);
        let _ = sender.send(Message::Done(result));
    });
    loop {
        match receiver.recv_timeout(patience) {
            Ok(Message::Pulse(pulse)) => hear(pulse),
            Ok(Message::Done(result)) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => return Err(Lost::Silent(patience)),
            Err(RecvTimeoutError::Disconnected) => return Err(Lost::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hf_hub::api::Progress;

    #[test]
    fn work_is_heard_of_and_ends() {
        let mut heard = Vec::new();
        let result = patiently(
            Duration::from_secs(60),
            &mut |pulse| heard.push((pulse.done, pulse.total)),
            |mut reporter| {
                reporter.init(10, "x");
                reporter.update(4);
                reporter.update(6);
                "done"
            },
        );
        assert_eq!(result, Ok("done"));
        assert_eq!(heard, [(4, 10), (10, 10)]);
    }

    #[test]
    fn silence_ends_it() {
        let patience = Duration::from_millis(20);
        let result = patiently(patience, &mut |_| {}, |_| {
            std::thread::sleep(Duration::from_secs(5));
        });
        assert_eq!(result, Err(Lost::Silent(patience)));
    }
}
