"""`python -m callfire_async` and `callfire-async`."""

import sys


def main() -> None:
    """Run the command line, or say how to install what it needs."""
    try:
        import typer  # noqa: F401 - only its absence is of interest here
    except ModuleNotFoundError as exc:
        if exc.name != "typer":
            raise
        sys.exit("The command line needs an extra that is not installed. Run: pip install 'callfire-async[cli]'")
    from callfire_async.cli import app

    app()


if __name__ == "__main__":
    main()
