//! `--lora-rank`, `--lora-alpha`, `--lora-scaling`, `--lora-maps`, `--vera-rank`: override the recipes of LoRA, DoRA and
//! VeRA.

use std::str::FromStr;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::{help, values};
use promptshift_numbers::recipe::{DeltaRecipe, LoraScaling, Map, Method, Recipe};
use promptshift_tensors::network::Config;

/// Flags of `transfer`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = help::TRAINING)]
pub struct Lora {
    /// The rank of LoRA and DoRA, instead of the recipe's.
    #[arg(long, value_name = "R", value_parser = values::at_least_one)]
    lora_rank: Option<usize>,
    /// The alpha of LoRA and DoRA, instead of the recipe's; see --lora-scaling.
    #[arg(long, value_name = "ALPHA", value_parser = above_zero)]
    lora_alpha: Option<f64>,
    /// The scale of LoRA and DoRA: alpha / rank (lora) or alpha / √rank (rslora).
    #[arg(long, value_name = "SCALING", hide_possible_values = true)]
    lora_scaling: Option<Scaling>,
    /// The linear maps that LoRA, DoRA and VeRA change, instead of the recipe's.
    ///
    /// By their names in checkpoints: q,v or q,k,v,o,wi_0,wi_1,wo (wi_1 is T5 v1.0's wi).
    #[arg(long, value_delimiter = ',', value_name = "MAPS")]
    lora_maps: Vec<MapName>,
    /// The rank of VeRA's projections, instead of the recipe's.
    #[arg(long, value_name = "R", value_parser = values::at_least_one)]
    vera_rank: Option<usize>,
}

/// A scale by its name.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Scaling {
    /// Alpha / rank.
    Lora,
    /// Alpha / √rank.
    Rslora,
}

/// A map by its name.
#[derive(Debug, Clone, Copy, PartialEq)]
struct MapName(Map);

/// A map's name in recipes.
fn name(map: Map) -> String {
    let name = serde_json::to_value(map).expect("plain data");
    name.as_str().unwrap_or_default().to_string()
}

fn names(maps: impl IntoIterator<Item = Map>) -> String {
    let names: Vec<String> = maps.into_iter().map(name).collect();
    names.join(", ")
}

impl FromStr for MapName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Map::ALL.into_iter().find(|&map| name(map) == text.trim());
        found
            .map(MapName)
            .ok_or_else(|| format!("wanted {}, found '{text}'", names(Map::ALL)))
    }
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("wanted a number above 0".to_string()),
    }
}

impl Lora {
    /// Checks that these flags apply.
    pub fn check(&self, tuned: &[Method], config: &Config) -> anyhow::Result<()> {
        let product = &[Method::Lora, Method::Dora][..];
        let any = &[Method::Lora, Method::Dora, Method::Vera][..];
        let flags = [
            ("--lora-rank", self.lora_rank.is_some(), product),
            ("--lora-alpha", self.lora_alpha.is_some(), product),
            ("--lora-scaling", self.lora_scaling.is_some(), product),
            ("--lora-maps", !self.lora_maps.is_empty(), any),
            ("--vera-rank", self.vera_rank.is_some(), &[Method::Vera]),
        ];
        for (flag, _, of) in flags.into_iter().filter(|(_, given, _)| *given) {
            if !of.iter().any(|method| tuned.contains(method)) {
                let names: Vec<&str> = of.iter().map(|method| method.name()).collect();
                bail!(
                    "{flag}: wanted {} among the tuned methods",
                    names.join(" or ")
                );
            }
        }
        let has: Vec<Map> = config.maps().into_iter().map(|(map, _)| map).collect();
        if let Some(MapName(map)) = (self.lora_maps.iter()).find(|MapName(map)| !has.contains(map))
        {
            let wanted = names(Map::ALL.into_iter().filter(|map| has.contains(map)));
            bail!(
                "--lora-maps: the model's blocks have no '{}', wanted {wanted}",
                name(*map)
            );
        }
        Ok(())
    }

    /// Applies these flags to a recipe.
    pub fn change(&self, recipe: &mut Recipe) {
        let maps = match &mut recipe.delta {
            DeltaRecipe::Lora(lora) => {
                lora.rank = self.lora_rank.unwrap_or(lora.rank);
                lora.alpha = self.lora_alpha.unwrap_or(lora.alpha);
                match self.lora_scaling {
                    Some(Scaling::Lora) => lora.scaling = LoraScaling::Lora,
                    Some(Scaling::Rslora) => lora.scaling = LoraScaling::Rslora,
                    None => {}
                }
                &mut lora.maps
            }
            DeltaRecipe::Vera(vera) => {
                vera.rank = self.vera_rank.unwrap_or(vera.rank);
                &mut vera.maps
            }
            _ => return,
        };
        if !self.lora_maps.is_empty() {
            let named = |map: &Map| self.lora_maps.contains(&MapName(*map));
            *maps = Map::ALL.into_iter().filter(named).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_numbers::recipe::{Defaults, LoraForm};
    use promptshift_tensors::t5::T5Config;

    fn lora(rank: Option<usize>, alpha: Option<f64>, maps: &[Map]) -> Lora {
        Lora {
            lora_rank: rank,
            lora_alpha: alpha,
            lora_maps: maps.iter().map(|&map| MapName(map)).collect(),
            lora_scaling: None,
            vera_rank: None,
        }
    }

    fn config(feed_forward_proj: &str) -> Config {
        let config = T5Config {
            feed_forward_proj: feed_forward_proj.to_string(),
            ..T5Config::published("small").expect("a published size")
        };
        config.into()
    }

    #[test]
    fn flags_change_only_what_they_name() {
        let mut recipe = Recipe::default_for(Defaults::T5, Method::Lora);
        let before = recipe.clone();
        lora(None, None, &[]).change(&mut recipe);
        assert_eq!(recipe, before);
        lora(Some(4), Some(32.0), &[Map::Wo, Map::Q]).change(&mut recipe);
        let DeltaRecipe::Lora(changed) = recipe.delta else {
            panic!("LoRA's recipe");
        };
        assert_eq!((changed.rank, changed.alpha), (4, 32.0));
        assert_eq!(changed.maps, [Map::Q, Map::Wo]);
        assert_eq!(changed.scale(), 8.0);
    }

    #[test]
    fn flags_change_dora_and_vera_too() {
        let flags = Lora {
            lora_scaling: Some(Scaling::Rslora),
            vera_rank: Some(32),
            ..lora(Some(4), Some(32.0), &[Map::K])
        };
        let [mut dora, mut vera] =
            [Method::Dora, Method::Vera].map(|method| Recipe::default_for(Defaults::T5, method));
        flags.change(&mut dora);
        flags.change(&mut vera);
        let (DeltaRecipe::Lora(dora), DeltaRecipe::Vera(vera)) = (dora.delta, vera.delta) else {
            panic!("recipes of DoRA and VeRA");
        };
        assert_eq!((dora.rank, dora.form), (4, LoraForm::Dora));
        assert_eq!((dora.scale(), dora.maps), (16.0, vec![Map::K]));
        assert_eq!((vera.rank, vera.maps), (32, vec![Map::K]));
    }

    #[test]
    fn inapplicable_flags_are_refused() {
        let refused = |flags: Lora, tuned: &[Method], config: &Config| {
            flags
                .check(tuned, config)
                .expect_err("must be refused")
                .to_string()
        };
        let gated = config("gated-gelu");
        let text = refused(lora(Some(4), None, &[]), &[Method::Prompt], &gated);
        assert!(text.contains("--lora-rank: wanted lora or dora"), "{text}");
        let text = refused(lora(Some(4), None, &[]), &[Method::Vera], &gated);
        assert!(text.contains("--lora-rank: wanted lora or dora"), "{text}");
        let only_vera = Lora {
            vera_rank: Some(4),
            ..lora(None, None, &[])
        };
        let text = refused(only_vera, &[Method::Lora], &gated);
        assert!(text.contains("--vera-rank: wanted vera"), "{text}");
        let maps = lora(None, None, &[Map::Q]);
        assert!(maps.check(&[Method::Vera], &gated).is_ok());
        let plain = config("relu");
        let text = refused(lora(None, None, &[Map::Wi0]), &[Method::Lora], &plain);
        assert!(
            text.contains("no 'wi_0', wanted q, k, v, o, wi_1, wo"),
            "{text}"
        );
        assert!(
            lora(None, None, &[Map::Wi0])
                .check(&[Method::Lora], &gated)
                .is_ok()
        );
        assert!(
            "w".parse::<MapName>()
                .expect_err("no map")
                .contains("found 'w'")
        );
        assert!(above_zero("0").is_err() && above_zero("nan").is_err());
    }
}
