//! A common interface to networks of several kinds: the operations that tuning methods, the training loop and
//! prediction need. Each operation is one exhaustive match; a new kind needs a variant here and one of
//! [`Config`].

mod config;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

use crate::bert::{self, Bert, Head};
use crate::checkpoint::{CheckpointError, Weights};
use crate::decoder_only::{DecoderOnly, Read};
use crate::layers::{Adapter, Generated, Injected, Linear, Map, Pass, SubLayer, Tokens};
use crate::parameters;
use crate::t5::{self, T5};

pub use config::{Attentions, Config, Kind, PositionsEnd, Stack, Writes};

/// A network with its parameters. Their paths in [`Tuned`](crate::tuning::Tuned) do not include the kind.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "only a few exist at a time")]
pub enum Network {
    /// An encoder-decoder.
    T5(T5),
    /// A decoder-only network.
    DecoderOnly(DecoderOnly),
    /// An encoder with an output head.
    Bert(Bert),
}

/// A network's state after encoding its input, before the first output token.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "only one exists at a time")]
pub enum Encoded {
    /// The encoder's output.
    T5(t5::Encoded),
    /// The embedded input; its output follows in the same sequence.
    DecoderOnly(Read),
    /// The encoder's output.
    Bert(bert::Encoded),
}

impl From<T5> for Network {
    fn from(t5: T5) -> Self {
        Network::T5(t5)
    }
}

impl From<DecoderOnly> for Network {
    fn from(decoder: DecoderOnly) -> Self {
        Network::DecoderOnly(decoder)
    }
}

impl From<Bert> for Network {
    fn from(bert: Bert) -> Self {
        Network::Bert(bert)
    }
}

/// Why the two values of an operation always have the same kind.
const ONE_KIND: &str = "a network only decodes what it has encoded itself";

impl Network {
    /// Builds the network of this configuration from all of `weights`.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or is unknown.
    pub fn load(
        config: &Config,
        weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        match config {
            Config::T5(config) => Ok(T5::load(config, weights, device)?.into()),
            Config::DecoderOnly(config) => Ok(DecoderOnly::load(config, weights, device)?.into()),
            Config::Bert(config) => Ok(Network::Bert(Bert::load(config, weights, device)?)),
        }
    }

    /// The configuration that it was loaded with, corrected by its weights, which determine whether the head
    /// is tied to the embedding and whether a BERT has a pooler.
    pub fn config_of(&self, config: &Config) -> Config {
        match (self, config) {
            (Network::T5(t5), Config::T5(config)) => t5.config_of(config).into(),
            (Network::DecoderOnly(decoder), Config::DecoderOnly(config)) => {
                decoder.config_of(config).into()
            }
            (Network::Bert(bert), Config::Bert(config)) => bert.config_of(config).into(),
            _ => unreachable!("{ONE_KIND}"),
        }
    }

    /// All parameters under Hugging Face's names and in its layout: the inverse of [`Network::load`].
    pub fn weights(&self) -> Weights {
        match self {
            Network::T5(t5) => t5.weights(),
            Network::DecoderOnly(decoder) => decoder.weights(),
            Network::Bert(bert) => bert.weights(),
        }
    }

    /// Replaces all parameters by `weights`, an added head's included: the inverse of [`Network::weights`].
    /// ([`Network::load`] ignores such a head.) `config` is the network's own.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn with_weights(&self, config: &Config, weights: Weights) -> Result<Self, CheckpointError> {
        match (self, config) {
            (Network::Bert(bert), Config::Bert(config)) => {
                Ok(bert.with_weights(config, weights)?.into())
            }
            _ => Network::load(config, weights, &self.device()),
        }
    }

    /// The vectors `[V, D]` that the blocks read for the tokens, in f32: the input embedding, which a Gemma scales.
    pub fn embedding(&self) -> Tensor<2> {
        let words = self.words().cast(DType::F32);
        match self {
            Network::DecoderOnly(decoder) => decoder.scaled(words),
            Network::T5(_) | Network::Bert(_) => words,
        }
    }

    /// The input embedding as it is held.
    fn words(&self) -> Tensor<2> {
        match self {
            Network::T5(t5) => t5.embedding(),
            Network::DecoderOnly(decoder) => decoder.embedding(),
            Network::Bert(bert) => bert.embedding(),
        }
    }

    /// The same network with its large matrices in bf16.
    pub fn in_bf16(self) -> Self {
        parameters::in_bf16(self)
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.words().device()
    }

    /// A copy on a device, with an autodiff graph of its own. On its own device it shares the values.
    pub(crate) fn replica(&self, device: &Device) -> Self {
        match self.clone().fork(device) {
            Network::Bert(bert) => Network::Bert(bert.with_masked_words_on(device)),
            other => other,
        }
    }

    /// Encodes a batch of inputs, with the tensors that a tuning method injects.
    pub fn encode(&self, tokens: &Tokens, injected: Injected, pass: &mut Pass) -> Encoded {
        let mut injected = pass.inject(injected);
        match self {
            Network::T5(t5) => {
                let mut input = t5.embed(tokens);
                if let Some(prompt) = injected.prompt.take() {
                    input = match tokens.soft.is_empty() {
                        true => input.after_prompt(prompt),
                        false => input.around_prompt(prompt, &tokens.soft),
                    };
                }
                input.injected = injected;
                Encoded::T5(t5.encode(input, pass))
            }
            Network::DecoderOnly(decoder) => Encoded::DecoderOnly(decoder.read(tokens, injected)),
            Network::Bert(bert) => Encoded::Bert(bert.encode(tokens, injected, pass)),
        }
    }

    /// Teacher-forced logits of the real target positions, `[N, V]`, in row order.
    pub fn logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        match (self, encoded) {
            (Network::T5(t5), Encoded::T5(encoded)) => t5.logits(encoded, targets),
            (Network::DecoderOnly(decoder), Encoded::DecoderOnly(read)) => {
                decoder.logits(read, targets)
            }
            (Network::Bert(bert), Encoded::Bert(encoded)) => bert.target_logits(encoded, targets),
            _ => unreachable!("{ONE_KIND}"),
        }
    }

    /// The loss of each real target token, `[N]`: cross-entropy plus `z_loss · (log Z)²`.
    pub fn token_losses(
        &self,
        encoded: &Encoded,
        targets: &Tokens,
        z_loss: f64,
        pass: &mut Pass,
    ) -> Tensor<1> {
        match (self, encoded) {
            (Network::T5(t5), Encoded::T5(encoded)) => {
                t5.token_losses(encoded, targets, z_loss, pass)
            }
            (Network::DecoderOnly(decoder), Encoded::DecoderOnly(read)) => {
                decoder.token_losses(read, targets, z_loss, pass)
            }
            (Network::Bert(bert), Encoded::Bert(encoded)) => {
                bert.token_losses(encoded, targets, z_loss)
            }
            _ => unreachable!("{ONE_KIND}"),
        }
    }

    /// The most probable output of each example, token by token up to one of `ends` or `limit` tokens; with a
    /// head, the most probable answer as described in [`HeadForm`](crate::layers::HeadForm).
    pub fn generate(&self, encoded: &Encoded, ends: &[u32], limit: usize) -> Vec<Generated> {
        match (self, encoded) {
            (Network::T5(t5), Encoded::T5(encoded)) => t5.generate(encoded, ends, limit),
            (Network::DecoderOnly(decoder), Encoded::DecoderOnly(read)) => {
                decoder.generate(read, ends, limit)
            }
            (Network::Bert(bert), Encoded::Bert(encoded)) => bert.answers(encoded),
            _ => unreachable!("{ONE_KIND}"),
        }
    }

    /// Every linear layer of the blocks, in the order of [`Config::maps`].
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        match self {
            Network::T5(t5) => t5.maps_mut(),
            Network::DecoderOnly(decoder) => decoder.maps_mut(),
            Network::Bert(bert) => bert.maps_mut(),
        }
    }

    /// The adapter slot of every sub-layer, in the order of [`Config::sub_layers`].
    pub fn adapters_mut(&mut self) -> Vec<(SubLayer, &mut Option<Adapter>)> {
        match self {
            Network::T5(t5) => t5.adapters_mut(),
            Network::DecoderOnly(decoder) => decoder.adapters_mut(),
            Network::Bert(bert) => bert.adapters_mut(),
        }
    }

    /// The T5, if it is one; for methods that support only a T5.
    pub fn into_t5(self) -> Option<T5> {
        match self {
            Network::T5(t5) => Some(t5),
            Network::DecoderOnly(_) => None,
            Network::Bert(_) => None,
        }
    }

    /// Whether it answers with the classes' words at a mask.
    pub fn says_words(&self) -> bool {
        matches!(self, Network::Bert(bert) if bert.says_words())
    }

    /// Adds an output head to an encoder; returns any other network unchanged.
    pub fn with_head(self, head: Head) -> Self {
        match self {
            Network::Bert(bert) => Network::Bert(bert.with_head(head)),
            other => other,
        }
    }
}
