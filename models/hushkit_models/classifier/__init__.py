"""The noise classifier: taxonomy, corpus, features, training and judgement."""
