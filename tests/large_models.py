"""Large models whose reports several tests look at."""

import torch
from torch import nn
from transformers import BertConfig, BertModel


class Bert(nn.Module):
    """A small BERT that takes vectors, with a head."""

    def __init__(self, layers=3):
        super().__init__()
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=200,
            hidden_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=20,
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.bert(inputs_embeds=x).last_hidden_state)
