"""`python -m assistant` and the `nestor` script: both are the command line."""

from assistant.cli import main

if __name__ == "__main__":
    main()
