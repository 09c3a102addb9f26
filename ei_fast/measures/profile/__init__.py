"""The information profile of a layer: what single inputs and outputs tell, and what of EI only several tell together.

X are the binned inputs under do(X = H^max), which makes them independent, and Y the binned outputs. For every input i

    alone_i = I(X_i; Y) = H(Y) - H(Y | X_i)
    given_i = I(X_i; Y | X_others) = H(Y | X_others) - H(Y | X)

and since the inputs are independent, by the chain rule in any order of the inputs,

    alone_i <= given_i,    sum of alone_i <= EI <= sum of given_i.

`auto.py` says which estimator measures a component, and puts components together:

* `exact.py`: one input, or one output (EI_parts; the Fourier series of `joint/one_output.py`): nothing is sampled.
* `every_cell.py`: few input cells: the points that EI was counted from, grouped by each input and by all others.
* `pool.py`: alone_i of all other components from one pool of points over the whole input range, grouped by each input.
* `freed.py`: given_i from drawn cells of the other inputs, in which input i moves through all its bins.
* `brackets.py`: what is left where states outnumber the points: bounds.
* `outputs.py`: I(X; Y_j) of every output.
"""
