//! The tuned model: a backbone and the parameters that a method adds.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::answer_head::{self, LabelVectors};
use super::draw::Draw;
use super::prefixes::Prefixes;
use super::projections::Projections;
use super::soft_prompt::{SoftPrompt, Vectors};
use crate::backbone::Backbone;
use crate::bert::Head;
use crate::layers::{HeadForm, Injected, Pass, Tokens};
use crate::network::{Encoded, Network};
use crate::parameters::{self, Parameter};

/// A backbone and the parameters that a method adds. Trainable parameters are on the autodiff device, frozen
/// ones are not: nothing is recorded, saved or updated for these.
#[derive(Module, Debug)]
pub struct Tuned {
    /// The network.
    pub backbone: Network,
    /// The soft prompt, for prompt tuning.
    pub prompt: Option<SoftPrompt>,
    /// The soft prompt before the decoder's start token.
    pub decoder_prompt: Option<SoftPrompt>,
    /// Keys and values prepended to those of attention, for prefix tuning.
    pub prefixes: Option<Prefixes>,
    /// Output vectors of the labels' tokens, instead of the head.
    pub label_vectors: Option<LabelVectors>,
    /// The frozen projections that all of VeRA's updates read, counted once.
    pub projections: Option<Projections>,
}

impl Tuned {
    /// The pre-trained backbone without additions.
    pub fn untuned(backbone: Network) -> Self {
        Tuned {
            backbone,
            prompt: None,
            decoder_prompt: None,
            prefixes: None,
            label_vectors: None,
            projections: None,
        }
    }

    /// The pre-trained backbone, with a head of this form if given; the head is random from the seed, so its
    /// answers are random.
    pub fn untuned_on(backbone: &Backbone, head: Option<HeadForm>, seed: u64) -> Self {
        let mut draw = Draw::new(seed, backbone.model.device());
        let (model, config) = (backbone.model.clone(), &backbone.config);
        Tuned::untuned(answer_head::with_head(model, head, config, &mut draw))
    }

    /// Whether it can answer: its network has an output head, or one was added.
    pub fn answers(&self) -> bool {
        match &self.backbone {
            Network::T5(_) | Network::DecoderOnly(_) => true,
            Network::Bert(bert) => bert.head().is_some(),
        }
    }

    /// The form of the added head; `None` if the network generates, or has no head.
    pub fn head(&self) -> Option<HeadForm> {
        match &self.backbone {
            Network::T5(_) | Network::DecoderOnly(_) => None,
            Network::Bert(bert) => bert.head().map(Head::form),
        }
    }

    /// The backbone with a saved prompt; nothing requires gradients.
    ///
    /// # Panics
    /// The prompt does not have the embeddings' width; [`PromptFile::onto`](super::saved::PromptFile::onto)
    /// rejects such a prompt.
    pub fn prompted(backbone: Network, vectors: &Vectors) -> Self {
        let [_, width] = backbone.embedding().dims();
        assert_eq!(
            vectors.width(),
            width,
            "the prompt's width and the backbone's"
        );
        let shape = [vectors.length(), width];
        let data = TensorData::new(vectors.values().to_vec(), shape);
        let prompt = SoftPrompt::of(Tensor::from_data(data, &backbone.device()));
        Tuned {
            prompt: Some(prompt),
            ..Tuned::untuned(backbone)
        }
    }

    /// The prompt as plain numbers, if there is one.
    pub fn vectors(&self) -> Option<Vectors> {
        let vectors = self.prompt.as_ref()?.vectors();
        let shape = vectors.dims();
        let values = vectors.into_data().try_to_vec().expect("prompts are f32");
        Some(Vectors::of_rows(shape, values))
    }

    /// `P` of the prompt in the network's input, if there is one.
    pub fn prompt_length(&self) -> Option<usize> {
        let prompt = self.prompt.as_ref()?;
        Some(prompt.vectors().dims()[0])
    }

    /// Encodes tokens, with everything that the method injects.
    pub fn encode(&self, tokens: &Tokens, pass: &mut Pass) -> Encoded {
        let mut injected = Injected {
            prompt: self.prompt.as_ref().map(SoftPrompt::vectors),
            decoder_prompt: self.decoder_prompt.as_ref().map(SoftPrompt::vectors),
            output: self.label_vectors.as_ref().map(LabelVectors::words),
            ..Injected::default()
        };
        if let Some(prefixes) = &self.prefixes {
            injected = prefixes.enter(injected);
        }
        self.backbone.encode(tokens, injected, pass)
    }

    /// The total number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.num_params()
    }

    /// A copy that is not on the autodiff device.
    pub fn off_tape(&self) -> Self {
        self.valid()
    }

    /// A copy on a device, for another thread: threads that record operations on the same parameters would wait
    /// for each other, so its trainable parameters are new leaves of the autodiff graph. On its own device it
    /// shares the values.
    pub fn replica(&self, device: &Device) -> Self {
        let backbone = self.backbone.replica(device);
        let mut replica = self.clone();
        replica.backbone = backbone;
        // What the backbone consists of is there already.
        replica.fork(device)
    }

    /// Discards everything that only training needs.
    pub fn into_inference(self) -> Self {
        Tuned {
            prompt: self.prompt.map(SoftPrompt::into_inference),
            prefixes: self.prefixes.map(Prefixes::without_network),
            ..self
        }
    }

    /// Every parameter, the backbone's included.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        parameters::visit(self, |parameter| parameters.push(parameter));
        parameters
    }

    /// The number of trainable parameters.
    pub fn trainable_parameters(&self) -> usize {
        self.sizes().trainable
    }

    /// The bytes of all parameters.
    pub fn weight_bytes(&self) -> u64 {
        self.sizes().bytes
    }

    /// The bytes of the trainable parameters.
    pub fn trainable_bytes(&self) -> u64 {
        self.sizes().trainable_bytes
    }

    fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        self.visit(&mut sizes);
        sizes
    }
}

/// Sums up sizes; a tensor that requires gradients is trainable.
#[derive(Default)]
struct Sizes {
    trainable: usize,
    bytes: u64,
    trainable_bytes: u64,
}

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let numbers = value.shape().num_elements();
        let bytes = (numbers * value.dtype().size()) as u64;
        self.bytes += bytes;
        if value.is_require_grad() {
            self.trainable += numbers;
            self.trainable_bytes += bytes;
        }
    }
}
