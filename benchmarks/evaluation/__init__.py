"""What benchmarks/evaluate.py measures: folders and pairs, pictures, paired measures, sets of pictures, the report."""
