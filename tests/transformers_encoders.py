"""Encoders beside transformers: words that are hidden, classes of texts and of tokens, and last hidden states."""
from transformers_helpers import SMALL

ESM = dict(SMALL, position_embedding_type="rotary", pad_token_id=1, mask_token_id=2, token_dropout=True)
DEBERTA = dict(SMALL, relative_attention=True, position_buckets=8, max_relative_positions=16, norm_rel_ebd="layer_norm", share_att_key=True,
               pos_att_type="p2c|c2p", position_biased_input=False, type_vocab_size=0)

# Family -> (class of the configuration, class of the model, several sets of options).
CASES = {
    "bert": ("BertConfig", "BertForMaskedLM", [dict(SMALL), dict(SMALL, hidden_act="relu")]),
    "bert classes": ("BertConfig", "BertForSequenceClassification", [dict(SMALL, num_labels=3)]),
    "bert tokens": ("BertConfig", "BertForTokenClassification", [dict(SMALL, num_labels=5)]),
    "bert alone": ("BertConfig", "BertModel", [dict(SMALL)]),
    "distilbert": ("DistilBertConfig", "DistilBertForMaskedLM", [dict(dim=32, hidden_dim=37, n_layers=2, n_heads=4, vocab_size=97, max_position_embeddings=64)]),
    "distilbert classes": ("DistilBertConfig", "DistilBertForSequenceClassification", [dict(dim=32, hidden_dim=37, n_layers=2, n_heads=4, vocab_size=97, max_position_embeddings=64)]),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "roberta classes": ("RobertaConfig", "RobertaForSequenceClassification", [dict(SMALL, pad_token_id=1)]),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "camembert": ("CamembertConfig", "CamembertForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "albert": ("AlbertConfig", "AlbertForMaskedLM", [dict(SMALL, embedding_size=16)]),
    "albert classes": ("AlbertConfig", "AlbertForSequenceClassification", [dict(SMALL, embedding_size=16)]),
    "electra": ("ElectraConfig", "ElectraForPreTraining", [dict(SMALL, embedding_size=16), dict(SMALL, embedding_size=32)]),
    "electra words": ("ElectraConfig", "ElectraForMaskedLM", [dict(SMALL, embedding_size=16)]),
    "electra classes": ("ElectraConfig", "ElectraForSequenceClassification", [dict(SMALL, embedding_size=16)]),
    "mpnet": ("MPNetConfig", "MPNetForMaskedLM", [dict(SMALL)]),
    "esm": ("EsmConfig", "EsmForMaskedLM", [
        dict(ESM, token_dropout=False), dict(ESM), dict(ESM, emb_layer_norm_before=True), dict(ESM, position_embedding_type="absolute", emb_layer_norm_before=True)]),
    "esm classes": ("EsmConfig", "EsmForSequenceClassification", [dict(ESM, num_labels=3)]),
    "esm tokens": ("EsmConfig", "EsmForTokenClassification", [dict(ESM, num_labels=5)]),
    "deberta-v2": ("DebertaV2Config", "DebertaV2ForMaskedLM", [
        dict(DEBERTA), dict(DEBERTA, legacy=False), dict(DEBERTA, share_att_key=False), dict(DEBERTA, pos_att_type=["c2p"], norm_rel_ebd="none"),
        dict(DEBERTA, pos_att_type=["p2c"], share_att_key=False), dict(DEBERTA, position_buckets=4, max_relative_positions=9),
        dict(DEBERTA, position_buckets=-1, max_relative_positions=5), dict(DEBERTA, position_buckets=-1, position_biased_input=True),
        dict(DEBERTA, embedding_size=20, position_biased_input=True, type_vocab_size=2), dict(DEBERTA, relative_attention=False, position_biased_input=True),
        dict(DEBERTA, conv_kernel_size=3, conv_act="gelu"), dict(DEBERTA, conv_kernel_size=5, num_hidden_layers=3), dict(DEBERTA, pos_att_type=None), dict(DEBERTA, hidden_size=48, num_attention_heads=3, tie_word_embeddings=False)]),
    "deberta-v2 classes": ("DebertaV2Config", "DebertaV2ForSequenceClassification", [dict(DEBERTA, num_labels=3), dict(DEBERTA, num_labels=2, pooler_hidden_act="tanh")]),
    "deberta-v2 tokens": ("DebertaV2Config", "DebertaV2ForTokenClassification", [dict(DEBERTA, num_labels=5)]),
    "deberta-v2 alone": ("DebertaV2Config", "DebertaV2Model", [dict(DEBERTA, type_vocab_size=2)]),
    "modernbert": ("ModernBertConfig", "ModernBertForMaskedLM", [dict(SMALL, num_hidden_layers=4, local_attention=6, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                                                                      cls_token_id=1, sep_token_id=2)]),
}
