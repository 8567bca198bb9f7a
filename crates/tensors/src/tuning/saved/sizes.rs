//! Checks the sizes in a saved recipe. Parameters are allocated by them before they are filled, so they are not
//! trusted.

use crate::network::Config;
use crate::tuning::apply::Parameters;
use crate::tuning::methods;
use promptshift_numbers::recipe::{HeadForm, Recipe};

/// Allocated parameters may number as many as the backbone's, plus this many for each number in the file: a network
/// that produces prefixes is allocated, although only the prefixes are saved.
const FOR_EACH: usize = 64;

/// Always allowed, whatever the file's size: on a tiny backbone the network is far larger.
const ALWAYS: usize = 1 << 20;

/// The largest size allowed; products of a few sizes then can't overflow.
const LARGEST: usize = 1 << 24;

/// Checks that a recipe's parameters are plausible for a file with this many numbers.
///
/// # Errors
/// They are not; a description of the recipe's sizes.
pub(super) fn check(recipe: &Recipe, config: &Config, numbers: usize) -> Result<(), String> {
    for (what, size) in sizes(recipe) {
        if size == 0 || size > LARGEST {
            return Err(format!("{what} {size}"));
        }
    }
    let placed = Parameters::of(recipe, config).total - config.parameters();
    let for_each = numbers.saturating_mul(FOR_EACH);
    let most = (config.parameters().saturating_add(ALWAYS)).saturating_add(for_each);
    match placed <= most {
        true => Ok(()),
        false => Err(format!(
            "parameters with {placed} numbers, but the file has {numbers}"
        )),
    }
}

/// The sizes in a recipe, each of which must be at least 1.
fn sizes(recipe: &Recipe) -> Vec<(&'static str, usize)> {
    let mut sizes = Vec::new();
    sizes.extend(
        recipe
            .prompt
            .iter()
            .map(|prompt| ("a prompt's length of", prompt.length)),
    );
    if let Some(HeadForm::Classes(classes) | HeadForm::Words(classes)) = recipe.head {
        sizes.push(("a head's classes of", classes));
    }
    sizes.extend(methods::delta(&recipe.delta).sizes());
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_numbers::recipe::{Defaults, DeltaRecipe, Method};

    fn config() -> Config {
        let json = r#"{"model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 32}"#;
        Config::parse(json.as_bytes(), "config.json").expect("a GPT-2")
    }

    #[test]
    fn default_recipes_pass_and_huge_sizes_are_refused() {
        let lora = Recipe::default_for(Defaults::DecoderOnly, Method::Lora);
        let numbers = Parameters::of(&lora, &config()).trainable;
        assert_eq!(check(&lora, &config(), numbers), Ok(()));
        for (rank, found) in [
            (0, "a rank of 0"),
            (usize::MAX, "a rank of 18446744073709551615"),
            (1 << 20, "parameters with"),
        ] {
            let mut changed = lora.clone();
            let DeltaRecipe::Lora(lora) = &mut changed.delta else {
                panic!("a LoRA");
            };
            lora.rank = rank;
            let error = check(&changed, &config(), numbers).expect_err("no such rank");
            assert!(error.starts_with(found), "{error}");
        }
    }
}
