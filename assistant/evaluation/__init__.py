"""How well memory and model do on this machine: told invented things, asked about them, and marked.

It knows the assistant only as a `Subject` (subject.py); `trial.py` makes one in a throwaway folder.
"""
