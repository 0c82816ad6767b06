"""What comes after the sampler: regions of a drawing, palettes, flats, ink, cels, layers, measures.

None of it needs a model: it works on any coloured picture. Labels, tables and files are numpy's, pictures are tensors
as the graph hands them over.
"""
