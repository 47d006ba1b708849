"""`python -m nvcodec` is `nvc`."""

from nvcodec.cli import command

if __name__ == "__main__":
    command()
