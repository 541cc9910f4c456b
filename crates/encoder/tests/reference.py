"""Writes reference.json: what the model gives for a few texts, computed independently of the crate.

Usage: python3 reference.py MODEL_DIR > reference.json        (needs numpy and nothing else)

BERT in double precision, straight from the definition in Devlin et al. 2018 with the exact error
function, and a WordPiece tokenizer after the same paper, restricted to what the texts below need.
Nothing is shared with the Rust code: not a library, not the layout, not the order of operations.
"""

import json
import math
import struct
import sys
import unicodedata
from pathlib import Path

import numpy as np

MAX_TOKENS = 256

SENTENCES = [
    "The patient denies chest pain and shortness of breath.",
    "Keeps waking at three and cannot get back to sleep, worries about the exam.",
    "Sertraline 50 mg once daily; PHQ-9 fell from 17 to 9.",
    "",
    "café naïve Übelkeit Москва 東京 東 ñandú — 37.5 °C “quoted”",
    "no",
    # A long report of 60 statements: far more than 256 wordpieces, so that a truncation
    # at 128, or one that keeps the tail, shows.
    " ".join(
        f"On day {day} the blood pressure was {100 + day * 7 % 61} over {60 + day * 5 % 37}."
        for day in range(1, 61)
    ),
    # Just over 128 wordpieces.
    "She reports that the new medication helps her sleep through most nights. " * 11,
    "Electroencephalographically unremarkable; hydrochlorothiazide-triamterene 37.5/25.",
]


def load_weights(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = np.frombuffer(raw[begin:end], dtype="<f4").astype(np.float64)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def is_punctuation(char):
    ascii_symbol = char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    return ascii_symbol or unicodedata.category(char).startswith("P")


def words(text):
    text = unicodedata.normalize("NFD", text.lower())
    word = ""
    for char in text:
        if unicodedata.category(char) == "Mn":
            continue
        ideograph = 0x4E00 <= ord(char) <= 0x9FFF
        if char.isspace() or is_punctuation(char) or ideograph:
            if word:
                yield word
            word = ""
            if not char.isspace():
                yield char
        else:
            word += char
    if word:
        yield word


def wordpieces(text, vocabulary):
    ids = []
    for word in words(text):
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in vocabulary:
                    pieces.append(vocabulary[piece])
                    start = end
                    break
            else:
                pieces = [vocabulary["[UNK]"]]
                break
        ids += pieces
    return [vocabulary["[CLS]"]] + ids[: MAX_TOKENS - 2] + [vocabulary["[SEP]"]]


def layer_norm(x, weights, name, epsilon):
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * weights[name + ".weight"] + weights[name + ".bias"]


def embed(ids, weights, config):
    erf = np.vectorize(math.erf, otypes=[np.float64])
    epsilon = config["layer_norm_eps"]
    heads = config["num_attention_heads"]
    width = config["hidden_size"] // heads

    def linear(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = layer_norm(x, weights, "embeddings.LayerNorm", epsilon)
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}."
        query, key, value = (
            linear(x, layer + "attention.self." + part) for part in ("query", "key", "value")
        )
        context = np.empty_like(x)
        for head in range(heads):
            columns = slice(head * width, (head + 1) * width)
            scores = query[:, columns] @ key[:, columns].T / math.sqrt(width)
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
            context[:, columns] = scores @ value[:, columns]
        attended = linear(context, layer + "attention.output.dense")
        x = layer_norm(x + attended, weights, layer + "attention.output.LayerNorm", epsilon)
        wide = linear(x, layer + "intermediate.dense")
        wide = wide * 0.5 * (1.0 + erf(wide / math.sqrt(2.0)))
        x = layer_norm(x + linear(wide, layer + "output.dense"), weights, layer + "output.LayerNorm", epsilon)
    pooled = x.mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def main():
    folder = Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    weights = load_weights(folder / "model.safetensors")
    rows = []
    for text in SENTENCES:
        ids = wordpieces(text, vocabulary)
        vector = embed(ids, weights, config)
        rows.append({"text": text, "tokens": len(ids), "vector": [round(float(v), 7) for v in vector]})
    print("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]")


main()
