"""Was the concept learned? Pictures drawn with its trigger against views of it, the base's drawings and other looks."""
