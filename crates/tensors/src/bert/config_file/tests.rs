use serde_json::json;

use super::*;

fn parse(json: &Value) -> Result<BertConfig, CheckpointError> {
    BertConfig::parse(json.to_string().as_bytes(), "config.json")
}

fn minilm() -> Value {
    json!({
        "model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
        "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
        "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "pad_token_id": 0,
    })
}

/// roberta-base; XLM-R has another name and another vocabulary.
fn roberta() -> Value {
    json!({
        "model_type": "roberta", "vocab_size": 50265, "hidden_size": 768,
        "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
        "hidden_act": "gelu", "max_position_embeddings": 514, "type_vocab_size": 1,
        "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
    })
}

fn distilbert() -> Value {
    json!({
        "model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6, "n_heads": 12,
        "hidden_dim": 3072, "activation": "gelu", "max_position_embeddings": 512,
        "sinusoidal_pos_embds": false, "tie_weights_": true, "pad_token_id": 0,
    })
}

fn modernbert() -> Value {
    json!({
        "model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768, "num_hidden_layers": 22,
        "num_attention_heads": 12, "intermediate_size": 1152, "hidden_activation": "gelu",
        "global_attn_every_n_layers": 3, "local_attention": 128, "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0, "norm_eps": 1e-5, "pad_token_id": 50283, "classifier_pooling": "mean",
        "attention_bias": false, "norm_bias": false, "decoder_bias": true,
    })
}

/// The parameter counts of Transformers' bare models; RoBERTa's without its pooler, which none of its heads
/// reads.
#[test]
fn published_models_have_their_sizes() {
    let config = parse(&minilm()).expect("MiniLM");
    assert_eq!((config.parameters(), config.head_width()), (22_713_216, 32));
    let config = parse(&roberta()).expect("roberta-base");
    assert_eq!(
        (config.parameters(), config.longest()),
        (124_055_040, Some(512))
    );
    let mut xlm_r = roberta();
    xlm_r["model_type"] = json!("xlm-roberta");
    xlm_r["vocab_size"] = json!(250_002);
    let config = parse(&xlm_r).expect("xlm-roberta-base");
    assert_eq!(
        (config.parameters(), config.longest()),
        (277_453_056, Some(512))
    );
    let config = parse(&distilbert()).expect("distilbert-base-uncased");
    assert_eq!(
        (config.parameters(), config.longest()),
        (66_362_880, Some(512))
    );
    // ModernBERT-base, with the linear layer and norm that its classifier shares with its masked-word head.
    let config = parse(&modernbert()).expect("ModernBERT-base");
    assert_eq!(
        (config.parameters(), config.longest()),
        (149_014_272 + 590_592, None)
    );
    assert_eq!(config.pooling, Pooling::Mean);
}

#[test]
fn a_modernberts_windows_and_bases_are_read_in_both_ways() {
    let old = parse(&modernbert()).expect("of 4.x").positions;
    let mut new = modernbert();
    let keys = new.as_object_mut().expect("an object");
    for key in [
        "global_attn_every_n_layers",
        "global_rope_theta",
        "local_rope_theta",
    ] {
        keys.remove(key);
    }
    let kinds: Vec<&str> = (0..22)
        .map(|block| if block % 3 == 0 { GLOBAL } else { LOCAL })
        .collect();
    new["layer_types"] = json!(kinds);
    new["rope_parameters"] = json!({
        "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
        "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
    });
    let blocks = |config: &BertConfig| {
        (0..22)
            .map(|block| config.is_local(block))
            .collect::<Vec<_>>()
    };
    let [of_old, of_new] = [modernbert(), new.clone()].map(|file| parse(&file).expect("both"));
    assert_eq!(blocks(&of_old), blocks(&of_new));
    assert_eq!(of_old.positions, old);
    for config in [&of_old, &of_new] {
        let Positions::Rotary {
            global_theta,
            local_theta,
            radius,
            ..
        } = config.positions
        else {
            panic!("a ModernBERT's are rotary");
        };
        assert_eq!(
            (global_theta, local_theta, radius),
            (160_000.0, 10_000.0, 64)
        );
    }
    let mut null = modernbert();
    null["local_rope_theta"] = json!(null);
    let Positions::Rotary { local_theta, .. } = parse(&null).expect("of 4.x").positions else {
        panic!("a ModernBERT's are rotary");
    };
    assert_eq!(local_theta, 160_000.0);
    for (key, value, part) in [
        (
            "global_rope_theta",
            json!(5.0),
            "a base of 5 for rotary positions with rope_parameters of 160000",
        ),
        (
            "global_attn_every_n_layers",
            json!(2),
            "global_attn_every_n_layers 2 with other layer_types",
        ),
        (
            "layer_types",
            json!(["full_attention"]),
            "1 layer_types of 22 layers",
        ),
        (
            "layer_types",
            json!(vec!["chunked_attention"; 22]),
            "chunked_attention among",
        ),
        (
            "rope_parameters",
            json!({"full_attention": {"rope_theta": 160000.0, "rope_type": "yarn"}}),
            "rope_type \"yarn\"",
        ),
    ] {
        let mut json = new.clone();
        json[key] = value;
        let found = parse(&json).expect_err("must be refused").to_string();
        assert!(found.contains(part), "{found}");
    }
}

#[test]
fn unsupported_settings_are_refused_by_name() {
    for (file, key, value, part) in [
        (
            minilm(),
            "model_type",
            json!("albert"),
            "model_type 'albert'",
        ),
        (minilm(), "hidden_act", json!("relu"), "hidden_act 'relu'"),
        (
            minilm(),
            "hidden_act",
            json!("gelu_new"),
            "hidden_act 'gelu_new'",
        ),
        (
            minilm(),
            "position_embedding_type",
            json!("relative_key"),
            "position_embedding_type 'relative_key'",
        ),
        (minilm(), "is_decoder", json!(true), "is_decoder true"),
        (minilm(), "type_vocab_size", json!(1), "type_vocab_size 1"),
        (
            minilm(),
            "num_attention_heads",
            json!(7),
            "384 with 7 heads",
        ),
        (minilm(), "hidden_size", json!(0), "0 for its width"),
        (roberta(), "type_vocab_size", json!(0), "type_vocab_size 0"),
        (
            roberta(),
            "max_position_embeddings",
            json!(2),
            "texts begin at 2",
        ),
        (roberta(), "is_decoder", json!(true), "is_decoder true"),
        (
            distilbert(),
            "activation",
            json!("relu"),
            "activation 'relu'",
        ),
        (distilbert(), "n_heads", json!(5), "768 with 5 heads"),
        (
            distilbert(),
            "max_position_embeddings",
            json!(0),
            "max_position_embeddings 0",
        ),
        (
            modernbert(),
            "hidden_activation",
            json!("silu"),
            "hidden_activation 'silu'",
        ),
        (
            modernbert(),
            "attention_bias",
            json!(true),
            "attention_bias true",
        ),
        (modernbert(), "norm_bias", json!(true), "norm_bias true"),
        (
            modernbert(),
            "decoder_bias",
            json!(false),
            "decoder_bias false",
        ),
        (
            modernbert(),
            "classifier_pooling",
            json!("max"),
            "classifier_pooling 'max'",
        ),
        (
            modernbert(),
            "global_attn_every_n_layers",
            json!(0),
            "global_attn_every_n_layers 0",
        ),
        (
            modernbert(),
            "local_rope_theta",
            json!(0.5),
            "a base of 0.5",
        ),
        (
            modernbert(),
            "rope_scaling",
            json!({"rope_type": "linear"}),
            "rope_scaling",
        ),
    ] {
        let mut json = file;
        json[key] = value;
        let found = parse(&json).expect_err("must be refused").to_string();
        assert!(found.contains(part), "{found}");
    }
}
