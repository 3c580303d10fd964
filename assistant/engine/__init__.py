"""The language model: catalogue, file check, chat templates, and the child process that runs it."""
