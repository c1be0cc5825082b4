"""What the pages show: each module turns stored documents into plain values that one page's templates read.

Nothing here writes, and nothing here knows HTML. Every page asks a fixed number of questions of the database, however
much there is to show.
"""
