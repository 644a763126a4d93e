//! COALESCE, ISNULL, NULLIF, IIF.

use crate::query::ast::{Call, Comparison, Expr};
use crate::query::bind::{Binder, Typed};
use crate::query::error;
use crate::query::functions::Answered;

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "COALESCE" => coalesce(binder, call),
        "ISNULL" => is_null(binder, call),
        "NULLIF" => null_if(binder, call),
        "IIF" => iif(binder, call),
        _ => return None,
    })
}

type Bound = Result<Typed, crate::answer::ServerError>;

fn coalesce(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 100)?;
    if args.iter().all(|arg| arg.null) {
        return Err(error::all_null_case());
    }
    let args = binder.unified(&args)?;
    let list: Vec<&str> = args.iter().map(|arg| arg.sql.as_str()).collect();
    let mut typed =
        Typed::new(format!("coalesce({})", list.join(",")), args[0].ty, args.iter().all(|arg| arg.nullable));
    typed.collation = args[0].collation;
    typed.explicit = args[0].explicit;
    Ok(typed)
}

/// The type is that of the first argument: the second is cut to it.
fn is_null(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    let ty = if args[0].null { args[1].ty } else { args[0].ty };
    let other = binder.coerce(&args[1], ty)?;
    let mut typed = Typed::new(
        format!("coalesce({},{})", args[0].sql, other.sql),
        ty,
        args[0].nullable && other.nullable,
    );
    typed.collation = args[0].collation;
    typed.explicit = args[0].explicit;
    typed.null = args[0].null && args[1].null;
    Ok(typed)
}

fn null_if(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    if args[0].null {
        return Err(error::all_null_case());
    }
    let equal = binder.compared(&args[0], Comparison::Equal, &args[1])?;
    let sql = format!("CASE WHEN {equal} THEN NULL ELSE {} END", args[0].sql);
    Ok(Typed { sql, nullable: true, digits: None, ..args[0].clone() })
}

fn iif(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let [condition, yes, no] = call.args.as_slice() else { return Err(error::wrong_count("iif", 3)) };
    let case = Expr::Case {
        operand: None,
        arms: vec![(condition.clone(), yes.clone())],
        otherwise: Some(Box::new(no.clone())),
    };
    binder.value(&case)
}
