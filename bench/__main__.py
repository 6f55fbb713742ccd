"""`make bench`: every figure, each beside its reference in the same run."""

from bench import pipeline

if __name__ == "__main__":
    pipeline.main()
