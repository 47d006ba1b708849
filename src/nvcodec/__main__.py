"""`python -m nvcodec` is `nvc`."""

from nvcodec.cli import main

if __name__ == "__main__":
    main()
