"""An executable specification of the run protocol, and an explorer that tries to break it.

``python -m tests.protocol.model`` searches every scenario, ``... mutate`` drops each rule in
turn and says which check notices, ``... trace RULE`` shows the shortest trace found without it.
"""
