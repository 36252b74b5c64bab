def scenario(bench):
    """later"""
