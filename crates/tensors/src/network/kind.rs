//! The kinds of networks.

use std::fmt;

/// A kind of network: what tuning methods differ by, whatever its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An encoder and a decoder.
    T5,
    /// A decoder alone: a Llama or a GPT-2.
    DecoderOnly,
    /// An encoder with a head.
    Bert,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::T5, Kind::DecoderOnly, Kind::Bert];

    /// What files call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::T5 => "t5",
            Kind::DecoderOnly => "decoder-only",
            Kind::Bert => "bert",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::T5 => "a T5",
            Kind::DecoderOnly => "a decoder-only model",
            Kind::Bert => "a BERT",
        })
    }
}
