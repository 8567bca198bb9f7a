//! `--methods`.

use crate::cli::values::method;
use promptshift_numbers::recipe::{Defaults, Method, Recipe};
use promptshift_tensors::network::Kind;
use promptshift_tensors::tuning;
use promptshift_text::transfer::ALL;

/// The methods of these names; `all` means every method that supports the model and the source's labels.
pub fn methods(
    names: &[String],
    defaults: Defaults,
    kind: Kind,
    labels: &[String],
) -> anyhow::Result<Vec<Method>> {
    let fits = |method: &Method| match method {
        Method::Untuned => true,
        method => {
            let recipe = Recipe::default_for(defaults, *method);
            let has_labels = !labels.is_empty() || !tuning::wants_labels(&recipe);
            has_labels && tuning::supports(&recipe, kind).is_ok()
        }
    };
    let mut methods = Vec::new();
    for name in names {
        let named = match name.as_str() {
            ALL => Method::offered().filter(fits).collect(),
            name => vec![method(name)?],
        };
        for method in named {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    Ok(methods)
}

/// Why `all` leaves a method out.
pub fn left_out(method: Method, defaults: Defaults, kind: Kind) -> String {
    match tuning::supports(&Recipe::default_for(defaults, method), kind) {
        Err(unfit) => unfit.to_string(),
        Ok(()) if method == Method::Intrinsic => "it needs --subspace FILE".to_owned(),
        Ok(()) => "it tunes words for class labels, and the source has none".to_owned(),
    }
}
