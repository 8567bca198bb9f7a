//! Finds the tokenizer file in a model's folder.

use std::path::Path;

use serde_json::Value;

use crate::bert::Shape;
use crate::network::Config;
use crate::tokenizer::{Begins, Case, Tokenizer, TokenizerError};

/// Which token `tokenizer_config.json` prepends to texts.
pub(super) enum Beginning {
    /// None, or the file does not say.
    Plain,
    /// This token (`add_bos_token`).
    Token(String),
}

impl Beginning {
    /// Reads it from a model's folder.
    pub fn of_folder(folder: &Path) -> Self {
        let said = || -> Option<String> {
            let bytes = std::fs::read(folder.join("tokenizer_config.json")).ok()?;
            let json: Value = serde_json::from_slice(&bytes).ok()?;
            let token = json.get("bos_token")?;
            let token = token.get("content").unwrap_or(token).as_str()?;
            (json.get("add_bos_token")?.as_bool()?).then(|| token.to_string())
        };
        said().map_or(Beginning::Plain, Beginning::Token)
    }

    /// A note for the case that the tokenizer's own file contradicts it. The tokenizer's file takes
    /// precedence, as in some versions of Transformers.
    pub fn unmet(&self, tokenizer: &Tokenizer) -> Option<String> {
        let Beginning::Token(token) = self else {
            return None;
        };
        let (ids, _) = tokenizer.encode_input("a");
        let is_met = !tokenizer.continues() || ids.first() == tokenizer.id(token).as_ref();
        (!is_met).then(|| {
            format!(
                "says that texts begin with {token} (add_bos_token), but its tokenizer.json adds none: \
                 inputs are read without it"
            )
        })
    }
}

/// A file that a tokenizer can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerFile {
    Json,
    SentencePiece,
    /// XLM-R's layout.
    Fairseq,
    /// SentencePiece's byte pairs: Llama 2's and Gemma's.
    BytePairs(Begins),
    Vocabulary(Case),
}

impl TokenizerFile {
    pub fn name(self) -> &'static str {
        match self {
            TokenizerFile::Json => "tokenizer.json",
            TokenizerFile::SentencePiece => "spiece.model",
            TokenizerFile::Fairseq => "sentencepiece.bpe.model",
            TokenizerFile::BytePairs(_) => "tokenizer.model",
            TokenizerFile::Vocabulary(_) => "vocab.txt",
        }
    }

    pub fn parse(
        self,
        bytes: &[u8],
        path: &str,
        config: &Config,
    ) -> Result<Tokenizer, TokenizerError> {
        match (config, self) {
            (Config::T5(t5), TokenizerFile::SentencePiece) => {
                Tokenizer::parse_sentencepiece(bytes, path, t5)
            }
            (Config::T5(t5), _) => Tokenizer::parse(bytes, path, t5),
            (Config::Bert(bert), TokenizerFile::Vocabulary(case)) => {
                Tokenizer::parse_vocabulary(bytes, path, case, bert)
            }
            (Config::Bert(bert), TokenizerFile::Fairseq) => {
                Tokenizer::parse_fairseq(bytes, path, bert)
            }
            (Config::Bert(bert), _) => Tokenizer::parse_of_pairs(bytes, path, bert),
            (Config::DecoderOnly(decoder), TokenizerFile::BytePairs(begins)) => {
                Tokenizer::parse_byte_pairs(bytes, path, begins, decoder.vocabulary)
            }
            (Config::DecoderOnly(decoder), _) => {
                Tokenizer::parse_of_lines(bytes, path, decoder.vocabulary)
            }
        }
    }

    /// The tokenizer file in a folder for this network; of two, the one that other libraries also read.
    ///
    /// # Errors
    /// There is none: lists the accepted file names.
    pub fn find(folder: &Path, config: &Config) -> Result<Self, String> {
        let case = || match std::fs::read(folder.join("tokenizer_config.json")) {
            Ok(bytes) => Case::of_config(&bytes),
            Err(_) => Case::Lower,
        };
        let known = match config {
            Config::T5(_) => [TokenizerFile::Json, TokenizerFile::SentencePiece],
            Config::Bert(bert) => match bert.shape {
                Shape::Bert | Shape::DistilBert => {
                    [TokenizerFile::Json, TokenizerFile::Vocabulary(case())]
                }
                Shape::Roberta => [TokenizerFile::Json, TokenizerFile::Fairseq],
                Shape::ModernBert => [TokenizerFile::Json; 2],
            },
            Config::DecoderOnly(_) => [
                TokenizerFile::Json,
                TokenizerFile::BytePairs(begins(folder)),
            ],
        };
        (known.into_iter())
            .find(|file| folder.join(file.name()).exists())
            .ok_or_else(|| {
                let mut names = known.map(TokenizerFile::name).to_vec();
                names.dedup();
                names.join(" or ")
            })
    }
}

fn tokenizer_config(folder: &Path) -> Value {
    let bytes = std::fs::read(folder.join("tokenizer_config.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Whether inputs begin with a token, where only `tokenizer_config.json` says so.
fn begins(folder: &Path) -> Begins {
    match tokenizer_config(folder).get("add_bos_token") {
        Some(Value::Bool(false)) => Begins::Plainly,
        _ => Begins::WithToken,
    }
}

/// What other files of a folder change in its `tokenizer.model`, if anything: tokens that it does not have, or one
/// after every text.
pub(super) fn changed_byte_pairs(folder: &Path, tokenizer: &Tokenizer) -> Option<String> {
    let config = tokenizer_config(folder);
    if config.get("add_eos_token") == Some(&Value::Bool(true)) {
        return Some("add_eos_token of tokenizer_config.json".to_string());
    }
    let decoder = config
        .get("added_tokens_decoder")
        .and_then(Value::as_object);
    let listed = decoder.into_iter().flatten().filter_map(|(id, token)| {
        Some((token.get("content")?.as_str()?.to_string(), id.parse().ok()))
    });
    let bytes = std::fs::read(folder.join("added_tokens.json")).unwrap_or_default();
    let added: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let added = added.as_object().into_iter().flatten();
    let added = added.map(|(token, id)| (token.clone(), id.as_u64().map(|id| id as u32)));
    let mut all = listed.chain(added);
    let (token, _) = all.find(|(token, id)| tokenizer.id(token) != *id)?;
    Some(format!("an added token '{token}'"))
}
