#!/usr/bin/env python3
"""Lists the keys that Transformers writes into the config.json of the families that are read here.

Run (seconds; no network, no weights), once for each version:

    python3 -m venv /tmp/v4 && /tmp/v4/bin/pip install transformers==4.57.6
    python3 -m venv /tmp/v5 && /tmp/v5/bin/pip install transformers==5.24.0
    /tmp/v4/bin/python tests/golden/make_config_keys.py
    /tmp/v5/bin/python tests/golden/make_config_keys.py

Adds to config_keys.json, beside this file: version -> family -> every key of a whole config (4.x: with those
that decoding is told by) and of one that is saved.
"""

import json
from pathlib import Path

import transformers
from transformers import (
    BertConfig, DistilBertConfig, Gemma2Config, Gemma3TextConfig, GPT2Config, LlamaConfig, MistralConfig,
    ModernBertConfig, Qwen2Config, Qwen3Config, RobertaConfig, SmolLM3Config, T5Config, XLMRobertaConfig,
)

FILE = Path(__file__).resolve().parent / "config_keys.json"


def keys(config):
    whole = json.loads(config.to_json_string(use_diff=False))
    saved = json.loads(config.to_json_string(use_diff=True))
    return sorted({*whole, *saved})


def main():
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    families = [
        T5Config, BertConfig, RobertaConfig, XLMRobertaConfig, DistilBertConfig, ModernBertConfig, LlamaConfig,
        MistralConfig, Qwen2Config, Qwen3Config, SmolLM3Config, Gemma2Config, Gemma3TextConfig, GPT2Config,
    ]
    found[transformers.__version__] = {
        family.model_type: keys(family()) for family in families
    }
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


main()
