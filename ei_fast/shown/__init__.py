"""How things are shown, as text and in notebooks: names in blocks, and HTML with small pictures. It knows no layer."""
