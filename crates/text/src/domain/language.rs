//! The language of a domain's answers, which decides how they are normalised for comparison.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A language of XQuAD (Artetxe et al. 2020), by its ISO 639-1 code.
///
/// The official script of MLQA (Lewis et al. 2020, `mlqa_evaluation_v1.py`) supports the seven languages of
/// MLQA: Arabic, German, English, Spanish, Hindi, Vietnamese and Chinese. The other five are normalised like
/// Hindi: white space separates words and no word is an article. Thai has no spaces between words, so its F1
/// is close to exact match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Language {
    /// Arabic.
    Ar,
    /// German.
    De,
    /// Greek, not in MLQA.
    El,
    /// English.
    En,
    /// Spanish.
    Es,
    /// Hindi.
    Hi,
    /// Romanian, not in MLQA.
    Ro,
    /// Russian, not in MLQA.
    Ru,
    /// Thai, not in MLQA.
    Th,
    /// Turkish, not in MLQA.
    Tr,
    /// Vietnamese.
    Vi,
    /// Chinese.
    Zh,
}

impl Language {
    /// All of them, in the order of their codes.
    pub const ALL: [Language; 12] = [
        Language::Ar,
        Language::De,
        Language::El,
        Language::En,
        Language::Es,
        Language::Hi,
        Language::Ro,
        Language::Ru,
        Language::Th,
        Language::Tr,
        Language::Vi,
        Language::Zh,
    ];

    /// Its ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Language::Ar => "ar",
            Language::De => "de",
            Language::El => "el",
            Language::En => "en",
            Language::Es => "es",
            Language::Hi => "hi",
            Language::Ro => "ro",
            Language::Ru => "ru",
            Language::Th => "th",
            Language::Tr => "tr",
            Language::Vi => "vi",
            Language::Zh => "zh",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Language::ALL.map(Language::code).join(", ");
        (Language::ALL.into_iter())
            .find(|language| language.code() == text)
            .ok_or_else(|| format!("wanted a language of {}, found '{text}'", known()))
    }
}

impl TryFrom<String> for Language {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_its_code() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        let error = "fr".parse::<Language>().expect_err("XQuAD has no French");
        assert!(error.ends_with("found 'fr'"), "{error}");
    }
}
