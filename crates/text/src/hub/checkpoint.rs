//! Which files of a folder or repository make a checkpoint.

use std::collections::BTreeSet;

/// What a folder lacks to be a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lack(pub String);

/// The configuration, the tokenizer and the weights, each in the best available form.
pub(super) fn files(names: &BTreeSet<&str>) -> Result<Vec<String>, Lack> {
    let mut chosen = Vec::new();
    for forms in [&["config.json"][..], &["tokenizer.json", "spiece.model"]] {
        match forms.iter().find(|name| names.contains(**name)) {
            Some(name) => chosen.push((*name).to_string()),
            None => return Err(Lack(forms.join(" or "))),
        }
    }
    chosen.extend(weights(names)?);
    Ok(chosen)
}

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLED: &str = "pytorch_model.bin";

fn weights(names: &BTreeSet<&str>) -> Result<Vec<String>, Lack> {
    if names.contains(WHOLE) {
        return Ok(vec![WHOLE.to_string()]);
    }
    if names.contains(INDEX) {
        let count = names.iter().find_map(|name| shards_beside(name));
        let Some(count) = count else {
            return Err(Lack(
                "the shards that its model.safetensors.index.json names".to_string(),
            ));
        };
        let shards = (1..=count).map(|at| format!("model-{at:05}-of-{count:05}.safetensors"));
        let mut all = vec![INDEX.to_string()];
        for shard in shards {
            if !names.contains(shard.as_str()) {
                return Err(Lack(shard));
            }
            all.push(shard);
        }
        return Ok(all);
    }
    if names.contains(PICKLED) {
        return Ok(vec![PICKLED.to_string()]);
    }
    Err(Lack(format!(
        "{WHOLE}, {INDEX} with its shards, or {PICKLED}"
    )))
}

/// The number of shards stated in a shard's name: `model-00001-of-00002.safetensors` has 2.
fn shards_beside(name: &str) -> Option<usize> {
    let numbers = name.strip_prefix("model-")?.strip_suffix(".safetensors")?;
    let (at, count) = numbers.split_once("-of-")?;
    let five_digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if five_digits(at) && five_digits(count) {
        count.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &str) -> Result<String, Lack> {
        files(&names.split(' ').collect()).map(|files| files.join(" "))
    }

    #[test]
    fn the_best_form_of_each_is_taken() {
        assert_eq!(
            chosen(
                "README.md config.json spiece.model tokenizer.json model.safetensors pytorch_model.bin flax_model.msgpack"
            ),
            Ok("config.json tokenizer.json model.safetensors".to_string())
        );
        // The files of google/t5-base-lm-adapt.
        assert_eq!(
            chosen("config.json spiece.model pytorch_model.bin tokenizer_config.json"),
            Ok("config.json spiece.model pytorch_model.bin".to_string())
        );
        assert_eq!(
            chosen("config.json tokenizer.json model.safetensors.index.json model-00002-of-00002.safetensors model-00001-of-00002.safetensors model-x-of-y.safetensors"),
            Ok("config.json tokenizer.json model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors".to_string())
        );
    }

    #[test]
    fn missing_files_are_named() {
        for (names, lack) in [
            ("README.md", "config.json"),
            ("config.json", "tokenizer.json or spiece.model"),
            (
                "config.json spiece.model flax_model.msgpack",
                "model.safetensors, model.safetensors.index.json with its shards, or pytorch_model.bin",
            ),
            (
                "config.json spiece.model model.safetensors.index.json",
                "the shards that its model.safetensors.index.json names",
            ),
            (
                "config.json spiece.model model.safetensors.index.json model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ),
        ] {
            assert_eq!(chosen(names), Err(Lack(lack.to_string())));
        }
    }
}
