"""The outline of a composition to print and trace: found, laid out on sheets, written.

`outlines.of` finds the lines, `sheets.laid_out` puts them on paper in real size, and `svg.document`
and `pdf.document` write the same sheets.
"""
