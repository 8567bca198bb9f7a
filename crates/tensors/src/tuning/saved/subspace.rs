//! The file of a subspace, and how it is computed from tuned prompts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::error::SavedError;
use super::metadata::{Made, Metadata, Origin};
use super::prompt::PromptFile;
use super::tensors;
use crate::backbone::Backbone;
use crate::checkpoint::Weights;
use crate::tuning::inputs::PromptError;
use crate::tuning::soft_prompt::{Subspace, SubspaceError, Vectors};
use promptshift_numbers::recipe::SubspaceRecipe;
use promptshift_text::hash::sha256;

const WANTED: &str = "a subspace that `promptshift prompt subspace` wrote";
const MEAN: &str = "mean";
const DIRECTIONS: &str = "directions";

/// A subspace with its provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct SubspaceFile {
    /// The subspace.
    pub subspace: Subspace,
    /// The prompts' backbone, and which prompts they are.
    pub metadata: Metadata,
}

impl SubspaceFile {
    /// Computes the subspace of prompts that promptshift tuned or imported for one backbone.
    ///
    /// # Errors
    /// They differ in backbone or shape, do not name their backbone, or span too few dimensions.
    pub fn of(prompts: &[PromptFile], dimension: usize) -> Result<Self, SubspaceError> {
        let mut members = Vec::new();
        let mut seen = Some(BTreeSet::new());
        let mut first: Option<(&Metadata, [usize; 2])> = None;
        for prompt in prompts {
            let Origin::Own(metadata) = &prompt.origin else {
                return Err(SubspaceError::Prompt(SavedError::wrong(
                    &prompt.path,
                    "a prompt that names its backbone",
                    "another program's; convert it with `promptshift prompt import`",
                )));
            };
            let shape = [prompt.vectors.length(), prompt.vectors.width()];
            let (known, wanted) = *first.get_or_insert((metadata, shape));
            if shape != wanted {
                return Err(SubspaceError::Prompt(SavedError::wrong(
                    &prompt.path,
                    format!("a prompt of shape {wanted:?}, as the first"),
                    format!("{shape:?}"),
                )));
            }
            metadata.check_with(&prompt.path, known)?;
            members.push(metadata.title());
            seen = seen.zip(metadata.tuned_on()).map(|(mut seen, domains)| {
                seen.extend(domains);
                seen
            });
        }
        let vectors: Vec<&Vectors> = prompts.iter().map(|prompt| &prompt.vectors).collect();
        let (subspace, explained) = Subspace::of(&vectors, dimension)?;
        let (metadata, _) = first.expect("there are prompts");
        Ok(SubspaceFile {
            subspace,
            metadata: Metadata {
                version: env!("CARGO_PKG_VERSION").to_string(),
                made: Made::Subspace {
                    prompts: members.join(", "),
                    explained: format!("{explained:.4}"),
                    tuned_on: seen.map(|domains| domains.into_iter().collect::<Vec<_>>().join("+")),
                },
                ..metadata.clone()
            },
        })
    }

    /// Reads a file of [`SubspaceFile::to_bytes`]; also returns its SHA-256.
    ///
    /// # Errors
    /// The file is absent, damaged or of another kind.
    pub fn open(path: &Path) -> Result<(Self, String), SavedError> {
        let bytes = fs::read(path).map_err(SavedError::io(path))?;
        let wrong = |found: String| SavedError::wrong(path, WANTED, found);
        let mut tensors = tensors::parse(&bytes, path, WANTED)?;
        let metadata = Metadata::read(&bytes, path, WANTED)?;
        let (Some((mean_shape, mean)), Some((shape, directions))) =
            (tensors.remove(MEAN), tensors.remove(DIRECTIONS))
        else {
            return Err(wrong(format!("no tensors '{MEAN}' and '{DIRECTIONS}'")));
        };
        let (&[length, width], &[dimension, rows, columns]) =
            (mean_shape.as_slice(), shape.as_slice())
        else {
            return Err(wrong(format!("shapes {mean_shape:?} and {shape:?}")));
        };
        if [length, width] != [rows, columns] || directions.is_empty() {
            return Err(wrong(format!("shapes {mean_shape:?} and {shape:?}")));
        }
        let subspace = Subspace {
            shape: [length, width],
            mean,
            directions,
            dimension,
        };
        Ok((SubspaceFile { subspace, metadata }, sha256(&bytes)))
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Subspace {
            shape: [length, width],
            mean,
            directions,
            dimension,
        } = &self.subspace;
        let mut weights = Weights::empty("");
        weights.put(MEAN, vec![*length, *width], mean.clone());
        let shape = vec![*dimension, *length, *width];
        weights.put(DIRECTIONS, shape, directions.clone());
        self.metadata.sealed(&weights)
    }
}

/// Reads the subspace named in a recipe.
///
/// # Errors
/// The recipe names none, or it can't be read, belongs to another backbone, or has changed since the recipe
/// was made.
pub fn found_subspace(
    recipe: &SubspaceRecipe,
    backbone: &Backbone,
) -> Result<Subspace, PromptError> {
    let Some(start) = &recipe.file else {
        return Err(PromptError::NoSubspace);
    };
    let path = Path::new(&start.path);
    let (file, sha256) =
        SubspaceFile::open(path).map_err(|e| PromptError::Subspace(Box::new(e)))?;
    (file.metadata.check(path, backbone)).map_err(|e| PromptError::Subspace(Box::new(e)))?;
    if sha256 != start.sha256 || file.subspace.width() != backbone.config.width() {
        return Err(PromptError::SubspaceChanged {
            path: start.path.clone(),
            wanted: start.sha256.clone(),
            found: sha256,
        });
    }
    Ok(file.subspace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::saved::prompt::FILE;

    fn prompt(values: [f32; 4], backbone_sha256: &str) -> PromptFile {
        let path = Path::new(FILE);
        PromptFile {
            path: path.to_owned(),
            vectors: Vectors::new(&[2, 2], values.to_vec(), path).expect("a prompt"),
            origin: Origin::Own(Metadata {
                version: "0".to_owned(),
                backbone: "nano".to_owned(),
                backbone_sha256: backbone_sha256.to_owned(),
                tokenizer_sha256: "t".to_owned(),
                network: None,
                made: Made::Imported {
                    from: "p.npy".to_owned(),
                    sha256: "p".to_owned(),
                    method: "prompt".to_owned(),
                    delta: None,
                    head: None,
                },
            }),
        }
    }

    #[test]
    fn writing_and_reading_are_inverse() {
        let prompts = [
            [0.0, 1.0, 2.0, 3.0],
            [1.0, 1.0, 2.0, 3.0],
            [0.0, 1.0, 5.0, 3.0],
        ];
        let prompts = prompts.map(|values| prompt(values, "w"));
        let file = SubspaceFile::of(&prompts, 2).expect("three points span a plane");
        assert_eq!((file.subspace.length(), file.subspace.dimension()), (2, 2));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.safetensors");
        std::fs::write(&path, file.to_bytes()).expect("written");
        let (again, hash) = SubspaceFile::open(&path).expect("read");
        assert_eq!(again, file);
        assert_eq!(hash, sha256(&file.to_bytes()));
        let prompt = PromptFile::open(&path).expect_err("no prompt").to_string();
        assert!(prompt.contains("one tensor 'prompt'"), "{prompt}");
        std::fs::write(&path, b"none").expect("written");
        let none = SubspaceFile::open(&path).expect_err("none").to_string();
        assert!(none.contains("wanted a subspace"), "{none}");
    }

    #[test]
    fn mismatched_prompts_are_refused() {
        let refused = |prompts: &[PromptFile], dimension| {
            SubspaceFile::of(prompts, dimension)
                .expect_err("refused")
                .to_string()
        };
        let [one, two] = [[0.0; 4], [1.0; 4]].map(|values| prompt(values, "w"));
        let few = refused(&[one.clone(), two.clone()], 2);
        assert!(few.contains("2 prompts span 1"), "{few}");
        assert!(refused(&[one.clone(), two.clone()], 0).contains("at least one"));
        assert!(refused(&[], 1).contains("0 prompts span 0"));
        let other = prompt([1.0; 4], "v");
        let mixed = refused(&[one.clone(), other], 1);
        assert!(mixed.contains("tuned for the backbone"), "{mixed}");
        let mut foreign = two;
        foreign.origin = Origin::Npy {
            sha256: "n".to_owned(),
        };
        assert!(refused(&[one, foreign], 1).contains("prompt import"));
    }
}
